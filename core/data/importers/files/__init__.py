"""Where an import's image files come from and go to: unpacked, hard-linked, copied or moved."""
