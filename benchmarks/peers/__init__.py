"""One module per contender, each with `build(problem, **options) -> Stepper`."""
