"""Fuzzing: hostile and damaged input for everything that decodes, made from valid input and from nothing."""
