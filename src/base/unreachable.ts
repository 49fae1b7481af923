/** Ends an exhaustive `switch`: a new variant of the union fails to compile here. */
export function unreachable(value: never): never {
  throw new Error(`unreachable variant: ${JSON.stringify(value)}`);
}
