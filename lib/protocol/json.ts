/** A JSON object written by somebody else: nothing is known about its fields (protocol.md 2.1). */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Parses JSON text; the answer is undefined, which JSON cannot express, when the text is not JSON (protocol.md 2.1). */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Serialises a parsed JSON value; undefined when it is nested deeper than the stack allows (protocol.md 6). */
export function stringifyJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Tells a JSON object from the other JSON values, arrays and null among them (protocol.md 2.1). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a field the sender wrote; what an object inherits is not a field (protocol.md 2.1). */
export function ownField(object: JsonObject, field: string): unknown {
  return Object.hasOwn(object, field) ? object[field] : undefined;
}
