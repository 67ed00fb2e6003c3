"""Torch layers against the reference of `dspref`, and audits of Torch decoders."""
