"""The words that titles and tags are made of. Order matters: it decides the bytes."""

from __future__ import annotations

GENRES = (
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "IMAX",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
NO_GENRES = "(no genres listed)"


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(";"))


ROLES = _words(
    "Lantern Keeper; Clockmaker; Cartographer; Beekeeper; Ferryman; Glassblower;"
    "Organ Tuner; Salt Merchant; Bookbinder; Piano Mover; Lighthouse Cook; Map Thief;"
    "Bell Founder; Kite Maker; Tea Taster; Rain Collector; Night Librarian; Signalman;"
    "Perfumer; Tide Watcher; Weather Clerk; Chess Tutor; Umbrella Mender;"
    "Orchard Thief; Snow Surveyor; Harbour Pilot; Puppet Doctor; Candle Seller;"
    "Letter Writer; Bridge Painter; Carpet Dealer; Violin Repairer; Sugar Baker;"
    "Stamp Engraver; Census Taker; Gravel King; Ice Carrier; Poet Laureate;"
    "Lift Attendant; Almanac Man; Telegraph Girl; Ropewalker; Watch Smuggler;"
    "Fig Grower; Projectionist; Understudy; Wallpaper Designer; Mirror Polisher;"
    "Button Collector; Falcon Trainer"
)
PLACES = _words(
    "Oran; Trieste; Valparaíso; Tromsø; Łódź; Galway; Samarkand; Coimbra; Århus;"
    "Brașov; Cádiz; Mombasa; Kanazawa; Ushuaia; Tbilisi; Esztergom; Ghent; Zanzibar;"
    "Bergamo; Split; Reykjavík; Nantes; Quito; São Luís; Jaffa; Lucknow; Pskov;"
    "Antwerp; Saint-Malo; Duluth; Tallinn; Halifax; Montevideo; Izmir; Plovdiv;"
    "Dunedin; Lucerne; Penang; Nagasaki; Alexandria; Bratislava; Cork; Düsseldorf;"
    "Évora; Fez; Gdańsk; Hobart; Iquitos; Kraków; Lviv; Malmö; Novi Sad; Ostend;"
    "Palermo; Riga; Salta; Tangier; Uppsala; Veracruz; Windhoek; Yazd; Zadar;"
    "Baltimore; Savannah; Tucson"
)
PEOPLE = _words(
    "Ada; Anselm; Beatriz; Casimir; Delphine; Edmund; Fatima; Gideon; Hélène; Ignacio;"
    "Josephine; Kasper; Ludmila; Mateo; Nadia; Ottoline; Pilar; Quentin; Rosalind;"
    "Søren; Tamsin; Ulrich; Viola; Wendell; Xenia; Yusuf; Zelda; Amara; Bruno; Cosima;"
    "Dmitri; Esmé; Florian; Greta; Henrik; Imogen; Jasper; Katya; Leopold; Marguerite;"
    "Niels; Odile; Percival; Ramona; Silas; Théo; Ursula; Vincent; Winifred; Zoltán"
)
SURNAMES = _words(
    "Abernathy; Bellweather; Castellane; Drummond; Eskildsen; Fairweather; Galloway;"
    "Hawksworth; Ibarra; Jernigan; Kowalczyk; Lindqvist; Moreau; Nakagawa; Okonkwo;"
    "Pemberton; Quillfeather; Rasmussen; Santangelo; Thistlewood; Underhill; Vasquez;"
    "Winterbourne; Yardley; Zielinski; Bramble; Cardoso; Devereux; Farkas; Montclair"
)
ADJECTIVES = _words(
    "Quiet; Crooked; Borrowed; Second; Unfinished; Paper; Winter; Hollow; Amber;"
    "Patient; Distant; Wandering; Forgotten; Northern; Silver; Wooden; Sunken; Saffron;"
    "Ordinary; Salt; Glass; Faithful; Restless; Ivory; Velvet; Painted; Early;"
    "Upside-Down; Ninth; Thirsty; Gilded; Rusted; Gentle; Hushed; Luminous; Broken;"
    "Seventh; Evening; Plain; Copper; Open; Weathered; Honest; Cobalt; Narrow; Late;"
    "Hidden; Tall; Stubborn"
)
NOUNS = _words(
    "Orchard; Harbour; Letter; Staircase; Summer; Garden; Ledger; River; Window;"
    "Almanac; Carousel; Bridge; Orchestra; Compass; Postcard; Lighthouse; Kitchen;"
    "Promise; Inheritance; Railway; Portrait; Meadow; Winter; Correspondence; Balcony;"
    "Parade; Piano; Island; Chapel; Suitcase; Apartment; Mill; Harvest; Archive;"
    "Telescope; Market; Courtyard; Festival; Photograph; Threshold; Tide; Waltz;"
    "Bakery; Observatory"
)
ABSTRACTS = _words(
    "Echoes; Salt; Small Mercies; Ashes; Paper; Rain; Seven Winds; Strangers; Glass;"
    "Tomorrow; Lost Hours; Swallows; Foxgloves; Amber; Second Chances; the North;"
    "the Tides; Ordinary Saints; Smoke; Lanterns; Snow; Honest Thieves; Late Summer"
)
VEHICLES = _words(
    "Train; Ferry; Tram; Steamer; Night Bus; Mail Coach; Airship; Caravan; Freight;"
    "Sleeper; Barge; Postal Plane"
)
GERUNDS = _words(
    "Leaving; Remembering; Crossing; Painting; Forgetting; Losing; Inventing; Mapping;"
    "Bidding on; Returning to; Dreaming of; Waiting for; Walking to; Whistling in;"
    "Awake in; Snowbound in; Alone in; Stranded in; Dancing in; Engaged in"
)
NUMBERS = _words("Two; Three; Four; Five; Six; Seven; Nine; Eleven; Thirteen; Forty")
PLURALS = _words(
    "Umbrellas; Lanterns; Rivers; Orchards; Swallows; Letters; Bridges; Windows;"
    "Clocks; Foxes; Pianos; Winters; Aunts; Cousins; Ladders; Candles; Lighthouses;"
    "Magpies; Balconies; Suitcases; Gardeners; Violins; Sparrows; Harvests"
)
VERBS = _words(
    "Sleep; Return; Wander; Whisper; Begin; Wait; Disappear; Sing; Meet; Burn; Bloom;"
    "Remember; Turn North; Come Home; Fall Silent; Change Places"
)
MATERIALS = _words(
    "Salt; Smoke; Silver; Ink; Honey; Ashes; Lace; Copper; Thunder; Rust; Roses; Chalk;"
    "Feathers; Marble; Linen; Cinnamon"
)

# Adjectives and nouns that fit a genre; a title takes them from its own genres.
GENRE_WORDS = {
    "Action": (
        _words(
            "Armoured; Thunder; Reckless; Steel; Relentless; Burning; Double; Final"
        ),
        _words("Barricade; Convoy; Overdrive; Standoff; Ambush; Vendetta; Redline"),
    ),
    "Adventure": (
        _words("Uncharted; Emerald; Far; Lost; Thousand-Mile; Jade; Roaring"),
        _words("Expedition; Caravan; Archipelago; Compass; Idol; Monsoon; Passage"),
    ),
    "Animation": (
        _words("Tumbling; Tiny; Clockwork; Moonlit; Paper; Bouncing; Sleepy"),
        _words("Hedgehog; Snowman; Kite; Dragonfly; Teapot; Otter; Balloon"),
    ),
    "Children": (
        _words("Little; Brave; Marmalade; Whistling; Muddy; Runaway; Curious"),
        _words("Badger; Treehouse; Puppy; Holiday; Wagon; Penguin; Birthday"),
    ),
    "Comedy": (
        _words(
            "Accidental; Reluctant; Perfectly Good; Terrible; Spare; Awkward; Part-Time"
        ),
        _words(
            "Wedding; Landlord; Dentist; Cousin; Vacation; Butler; Promotion; Divorce"
        ),
    ),
    "Crime": (
        _words("Crooked; Counterfeit; Midnight; Inside; Unmarked; Perfect; Cold"),
        _words("Alibi; Informant; Safecracker; Docks; Verdict; Syndicate; Witness"),
    ),
    "Documentary": (
        _words("Invisible; Living; Everyday; Vanishing; Unseen; Public; Working"),
        _words(
            "Glacier; Newsroom; Reef; Factory; Chorus; Border; Parliament; Assembly"
        ),
    ),
    "Drama": (ADJECTIVES, NOUNS),
    "Fantasy": (
        _words("Enchanted; Wishing; Thorned; Moon; Seventh; Sleeping; Elder"),
        _words("Kingdom; Spellbook; Gatehouse; Unicorn; Oath; Familiar; Labyrinth"),
    ),
    "Film-Noir": (
        _words("Rain-Soaked; Crooked; Nickel; Midnight; Dim; Unlucky; Tarnished"),
        _words("Alley; Alibi; Cigarette; Widow; Streetlamp; Ransom; Pier"),
    ),
    "Horror": (
        _words("Whispering; Drowned; Hungry; Hollow; Moth-Eaten; Unquiet; Bone"),
        _words("Cellar; Nursery; Parish; Well; Attic; Harvest; Scarecrow; Séance"),
    ),
    "IMAX": (_words("Vast; Deep; Soaring"), _words("Reef; Summit; Savanna; Orbit")),
    "Musical": (
        _words("Singing; Brass; Tap-Dancing; Encore; Velvet; Sunny"),
        _words("Revue; Chorus; Serenade; Overture; Operetta; Bandstand"),
    ),
    "Mystery": (
        _words("Locked; Vanished; Thirteenth; Sealed; Missing; Anonymous"),
        _words("Envelope; Guest; Cipher; Vicarage; Heirloom; Alcove; Manuscript"),
    ),
    "Romance": (
        _words("Tender; Unsent; Moonstruck; Second; Spring; Hesitant; Barefoot"),
        _words("Valentine; Engagement; Bouquet; Serenade; Vineyard; Reunion; Duet"),
    ),
    "Sci-Fi": (
        _words("Orbital; Synthetic; Ninth; Silent; Outer; Parallel; Titanium"),
        _words("Colony; Signal; Satellite; Meridian; Airlock; Horizon; Automaton"),
    ),
    "Thriller": (
        _words("Cold; Blind; Sudden; Vanishing; Glass; Double; Silent"),
        _words("Hour; Motive; Stranger; Hostage; Pursuit; Deadline; Neighbour"),
    ),
    "War": (
        _words("Frozen; Unknown; Last; Barbed; Armistice; Broken"),
        _words("Regiment; Convoy; Trench; Bridgehead; Telegram; Garrison; Truce"),
    ),
    "Western": (
        _words("Dusty; Lonesome; Copper; Dry; Painted; Iron"),
        _words("Canyon; Saddle; Marshal; Homestead; Ridge; Stampede; Prairie"),
    ),
}

# Original titles in brackets: (English, original, article); halves fit each other.
FOREIGN = {
    "fr": (
        (
            ("House", "Maison", "La"),
            ("Letter", "Lettre", "La"),
            ("River", "Rivière", "La"),
            ("Baker", "Boulanger", "Le"),
            ("Garden", "Jardin", "Le"),
            ("Night", "Nuit", "La"),
        ),
        (
            ("the North", "du nord"),
            ("Salt", "de sel"),
            ("the Forgotten", "des oubliés"),
            ("Summer", "d'été"),
            ("the Swallows", "des hirondelles"),
        ),
    ),
    "es": (
        (
            ("Shadow", "Sombra", "La"),
            ("Road", "Camino", "El"),
            ("Island", "Isla", "La"),
            ("Clock", "Reloj", "El"),
            ("Voice", "Voz", "La"),
        ),
        (
            ("the Lighthouse", "del faro"),
            ("Ashes", "de ceniza"),
            ("the South", "del sur"),
            ("Tomorrow", "de mañana"),
            ("the Orange Trees", "de los naranjos"),
        ),
    ),
    "de": (
        (
            ("Bridge", "Brücke", "Die"),
            ("Window", "Fenster", "Das"),
            ("Journey", "Reise", "Die"),
            ("Forest", "Wald", "Der"),
        ),
        (
            ("Strangers", "der Fremden"),
            ("Glass", "aus Glas"),
            ("Winter", "im Winter"),
            ("Foxes", "der Füchse"),
        ),
    ),
    "it": (
        (
            ("Courtyard", "Cortile", "Il"),
            ("Dance", "Danza", "La"),
            ("Train", "Treno", "Il"),
            ("Bride", "Sposa", "La"),
        ),
        (
            ("Stone", "di pietra"),
            ("Silence", "del silenzio"),
            ("the Mountains", "delle montagne"),
            ("Spring", "di primavera"),
        ),
    ),
}

# Tags that fit a genre, best known first: small genomes take the first of each.
GENRE_TAGS = {
    "Action": _words(
        "action; car chase; explosions; martial arts; stunts; one-man army; bank job;"
        "mercenaries; gunfight; revenge; fight scenes; helicopters; vigilante"
    ),
    "Adventure": _words(
        "adventure; treasure hunt; jungle; pirates; quest; survival; desert island;"
        "lost city; sailing; expedition; swashbuckler; epic journey"
    ),
    "Animation": _words(
        "animation; stop motion; talking animals; hand-drawn; anime; clay figures;"
        "claymation; cel-shaded; animated short"
    ),
    "Children": _words(
        "children; family film; friendship; toys; school holidays; childhood; orphan;"
        "puppets; imaginary friend; fairy tale"
    ),
    "Comedy": _words(
        "comedy; funny; satire; slapstick; parody; deadpan; mistaken identity;"
        "dark comedy; screwball; road trip; quirky; awkward dinner; stand-up; farce;"
        "odd couple"
    ),
    "Crime": _words(
        "crime; heist; gangsters; detective; con artist; undercover; corruption;"
        "prison escape; forgery; smugglers; courtroom"
    ),
    "Documentary": _words(
        "documentary; interviews; archive footage; environment; biography;"
        "social issues; investigation; wildlife; oral history"
    ),
    "Drama": _words(
        "drama; family drama; melancholy; character study; loneliness; grief;"
        "redemption; coming of age; small town; mother and daughter; slow burn;"
        "bittersweet; working class; addiction; memory"
    ),
    "Fantasy": _words(
        "fantasy; magic; dragons; wizards; alternate world; mythology; curse; prophecy;"
        "witches; enchanted forest"
    ),
    "Film-Noir": _words(
        "film noir; femme fatale; hard-boiled; black and white; rainy streets;"
        "voice-over"
    ),
    "Horror": _words(
        "horror; haunted house; ghosts; gore; slasher; vampires; creepy; zombies; cult;"
        "jump scares; found footage; demon; body horror"
    ),
    "IMAX": _words("imax; spectacle; aerial photography"),
    "Musical": _words(
        "musical; dancing; songs; broadway; jazz; show business; tap dance; opera"
    ),
    "Mystery": _words(
        "mystery; whodunit; twist ending; missing person; cold case; locked room;"
        "clues; amateur sleuth; amnesia"
    ),
    "Romance": _words(
        "romance; love story; wedding; love triangle; chick flick; first love; letters;"
        "unrequited love; long distance; second chance"
    ),
    "Sci-Fi": _words(
        "sci-fi; space; time travel; robots; dystopia; aliens; artificial intelligence;"
        "future; parallel worlds; spaceship; post-apocalyptic; cloning; virtual reality"
    ),
    "Thriller": _words(
        "thriller; suspense; conspiracy; stalker; spies; tense; cat and mouse;"
        "kidnapping; paranoia; double agent; blackmail; hostage"
    ),
    "War": _words(
        "war; soldiers; trenches; resistance; prisoners of war; submarine; home front;"
        "anti-war; airmen"
    ),
    "Western": _words(
        "western; gunslinger; frontier; outlaws; railroad; cattle drive; sheriff"
    ),
}
# Tags of any genre that praise (first) or blame (second).
PRAISE_TAGS = _words(
    "masterpiece; great acting; beautifully shot; great ending; clever; well written;"
    "oscar-worthy; must see; unforgettable; great soundtrack; original plot; criterion;"
    "imdb top 250; rewatchable"
)
BLAME_TAGS = _words(
    "so bad it's good; boring; predictable; too long; bad acting; plot holes;"
    "overrated; unfunny; bad sequel; waste of time; clichéd"
)
PLAIN_TAGS = _words(
    "007; based on a book; 1930s; 1950s; 1970s; 1980s; sequel; remake; café society;"
    "sun, sea and secrets; ensemble cast; true story; surreal; nonlinear; stylized;"
    "low budget; independent; soundtrack; politics; religion; food; music; train; snow;"
    "summer; twins; chess; lighthouse; boxing; baseball; football; 1920s; 1940s; 1960s;"
    "1990s; based on a play; based on a comic; world cinema; subtitled;"
    "directorial debut"
)
# The rest of a big genome: every mood with every part of a film.
MOODS = (
    ("bleak", "Drama"),
    ("witty", "Comedy"),
    ("tender", "Romance"),
    ("eerie", "Horror"),
    ("tense", "Thriller"),
    ("playful", "Children"),
    ("epic", "Adventure"),
    ("brutal", "Action"),
    ("cryptic", "Mystery"),
    ("futuristic", "Sci-Fi"),
    ("dreamlike", "Fantasy"),
    ("gritty", "Crime"),
    ("heroic", "War"),
    ("whimsical", "Animation"),
    ("candid", "Documentary"),
    ("melodic", "Musical"),
    ("rugged", "Western"),
    ("smoky", "Film-Noir"),
    ("absurd", "Comedy"),
    ("wistful", "Drama"),
    ("sombre", "Drama"),
    ("frantic", "Action"),
)
PARTS = _words(
    "ending; dialogue; photography; score; heroine; villain; humour; family; city;"
    "childhood; friendship; village; love affair; rivalry; journey; opening scene;"
    "costumes; atmosphere; narrator; school; marriage; murder; secret; winter; dream;"
    "betrayal; hero; landscape; holiday; monologue; pacing; dance scene; final act;"
    "neighbourhood; reunion; partnership; investigation; homecoming; chase; stand-off"
)
# What people type that no genome holds: looks like a formula, a path or a note.
TYPED_TAGS = _words(
    "seen at the cinema; to watch; dvd collection; 5/5; =^..^= cats; +1;"
    "-1 for the ending; @home; rainy sunday; why?; grandma's favourite;"
    'borrowed the "director\'s cut"; 100% my thing; c:\\films\\keep; n/a; null;'
    "véritable bijou; 傑作; mañana; loved it, hated the ending; first date film; 😀;"
    "school project; watch with Nils"
)
