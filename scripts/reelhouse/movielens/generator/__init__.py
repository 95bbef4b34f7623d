"""Parts of the data generator; `reelhouse.movielens.generate` puts them together."""
