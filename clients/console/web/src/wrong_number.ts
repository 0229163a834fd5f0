/** A mistake on purpose: `make lint` copies it to src, and fails if the type checker does not find it. */
export const wrong: number = "a text";
