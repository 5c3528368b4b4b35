"""PNG (third edition) and its animations: from the signature to the stream of rows."""
