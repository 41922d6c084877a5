"""How the specialist learns. Pure: arrays and texts in, arrays and figures out; no table is known here."""
