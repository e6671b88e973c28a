"""Every arm resolved, matched, priced and given its runs before anything is trained."""
