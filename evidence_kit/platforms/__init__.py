"""One file per platform: from a URL to API exchanges to a normalised post."""
