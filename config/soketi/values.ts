/** soketi takes numbers as text too. What is not a number is returned as it is, for the schema to report. */
export function toNumber(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
}

/** A cap: soketi's -1 is our 0, no limit. */
export function toCap(value: unknown): unknown {
  const number = toNumber(value);
  return typeof number === 'number' && number < 0 ? 0 : number;
}

/** Kibibytes to bytes. */
export function kibToBytes(value: unknown): unknown {
  return scaled(value, 1024);
}

/** Mebibytes to bytes. */
export function mibToBytes(value: unknown): unknown {
  return scaled(value, 1024 * 1024);
}

/** Milliseconds to whole seconds, rounded up. */
export function msToSeconds(value: unknown): unknown {
  return scaled(value, 1 / 1000);
}

/** Ids and keys may be digits only, which JSON reads as a number. */
export function toText(value: unknown): unknown {
  return typeof value === 'number' ? String(value) : value;
}

function scaled(value: unknown, factor: number): unknown {
  const number = toNumber(value);
  return typeof number === 'number' ? Math.ceil(number * factor) : value;
}
