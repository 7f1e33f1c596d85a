from support.sims_place import blank, place  # noqa: F401  (fixtures of this folder)
