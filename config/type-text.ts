import type { JsonSchema } from './json-schema.ts';

/** What a setting takes, in words: "an integer from 0 to 65535". Messages and the table say the same. */
export function typeText(node: JsonSchema): string {
  if (node.expects !== undefined) return node.expects;
  if (node.enum !== undefined) return oneOf(node.enum);
  switch (node.type) {
    case 'integer':
    case 'number':
      return numberText(node);
    case 'boolean':
      return 'true or false';
    case 'array':
      return listText(node);
    case 'object':
      return 'an object';
    case undefined:
    default:
      return stringText(node);
  }
}

function oneOf(values: readonly (string | number)[]): string {
  const texts = values.map((value) => JSON.stringify(value));
  const last = texts.pop() ?? '';
  return texts.length === 0 ? last : `${texts.join(', ')} or ${last}`;
}

function numberText({ minimum, maximum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `an integer from ${minimum} to ${maximum}`;
  return minimum === undefined ? 'an integer' : `an integer, ${minimum} or more`;
}

function stringText({ minLength = 0, maxLength }: JsonSchema): string {
  if (maxLength === undefined) return minLength > 0 ? 'a non-empty string' : 'a string';
  return minLength > 0
    ? `a string of ${minLength} to ${maxLength} characters`
    : `a string of at most ${maxLength} characters`;
}

function listText({ items, minItems = 0 }: JsonSchema): string {
  const list = minItems > 0 ? 'a non-empty list' : 'a list';
  if (items?.properties !== undefined) return `${list} of objects`;
  return items === undefined ? list : `${list}, each ${typeText(items)}`;
}
