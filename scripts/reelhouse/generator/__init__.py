"""Parts of the data generator; `reelhouse.generate` puts them together."""
