"""From a bundle to a smaller one: recipes of steps, each result a normal bundle that names its parent."""
