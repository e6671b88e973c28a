"""What commands show of variants, runs and components; nothing here trains."""
