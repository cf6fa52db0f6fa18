"""Networks and the input normalisation that all of them share."""
