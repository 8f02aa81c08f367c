"""The wire types: REST bodies, donor messages, the study specification. One definition, here."""
