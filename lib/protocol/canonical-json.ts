import { KeySet } from './key-set.ts';

const quote = 0x22;
const comma = 0x2c;
const point = 0x2e;
const digitZero = 0x30;
const digitNine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const openBrace = 0x7b;
/** From an opening bracket or brace to the one that closes it, in character codes. */
const toClosing = 2;

/** Data that is nested deeper has to be parsed. */
const maxDepth = 32;
/** No two decimals of so many digits are the same double, so a shorter one cannot be written for what was read. */
const maxExactDigits = 15;
/** With more zeros behind the point JavaScript writes an exponent. */
const maxFractionOfZero = 6;

/** By byte, 1 for the letters that `JSON.stringify` puts behind a backslash, `u` apart. */
const isShortEscape = flagsOf('"\\bfnrt');
/** By byte, 1 for what a number is made of. */
const isOfNumber = flagsOf('0123456789+-.eE');
const literals = new Map(
  ['true', 'false', 'null'].map((literal) => [literal.charCodeAt(0), Buffer.from(literal)]),
);

/**
 * Reads JSON values out of valid UTF-8 without building them, as long as they are canonical: written exactly as
 * `JSON.stringify(JSON.parse(text))` would write them, so that the text can be passed on as it is. Anything else is
 * answered with -1 and has to be parsed: white space, other escapes and forms of numbers, a key given twice, a key that
 * begins with a digit (objects put some of those first), deep nesting, and what is not JSON at all.
 *
 * What it reads it writes down once more as it would stand inside a JSON string.
 */
export class CanonicalJson {
  /** The values read since `begin`, quotes and backslashes escaped, are its first `escapedBytes` bytes. */
  readonly escaped: Buffer;
  escapedBytes = 0;
  /** Whether there is nothing but ASCII in them. */
  isAscii = true;
  readonly #keys = new KeySet(maxDepth);
  readonly #containers = new Uint8Array(maxDepth);

  /** Nothing that is longer than `maxBytes` may be read between two calls of `begin`. */
  constructor(maxBytes: number) {
    // A quote takes two bytes, a quote that was escaped already takes four instead of two.
    this.escaped = Buffer.allocUnsafeSlow(2 * maxBytes);
  }

  begin(): void {
    this.escapedBytes = 0;
    this.isAscii = true;
    this.#keys.clear();
  }

  /** Reads the value that begins at `start`; answers where it ends, or -1. */
  readValue(bytes: Buffer, start: number): number {
    let at = start;
    let depth = 0;
    do {
      const first = bytes[at];
      const isContainer = first === openBrace || first === openBracket;
      if (isContainer && bytes[at + 1] !== first + toClosing) {
        if (depth === maxDepth) return -1;
        this.#containers[depth++] = first;
        at = this.#open(bytes, at, first);
        continue;
      }
      at = isContainer ? this.#empty(at, first) : this.#scalar(bytes, at);
      // A value has ended, and perhaps the containers around it.
      while (at >= 0 && depth > 0) {
        const container = this.#containers[depth - 1] as number;
        if (bytes[at] === comma) {
          at = this.#next(bytes, at, container);
          break;
        }
        at = this.#close(bytes, at, container);
        depth--;
      }
    } while (at >= 0 && depth > 0);
    return at;
  }

  /** Reads the string whose opening quote is at `start`; answers where it ends, or -1. */
  readString(bytes: Buffer, start: number): number {
    const { escaped } = this;
    const end = bytes.length;
    let out = this.escapedBytes;
    let at = start + 1;
    let seen = 0;
    escaped[out++] = backslash;
    escaped[out++] = quote;
    while (at < end) {
      let byte = bytes[at++] as number;
      if (byte === quote) {
        escaped[out++] = backslash;
        escaped[out++] = quote;
        this.escapedBytes = out;
        if (seen > 0x7f) this.isAscii = false;
        return at;
      }
      if (byte < 0x20) return -1;
      if (byte === backslash) {
        byte = bytes[at++] ?? 0;
        if (isShortEscape[byte] !== 1) return -1;
        escaped[out++] = backslash;
        escaped[out++] = backslash;
        if (byte === quote || byte === backslash) escaped[out++] = backslash;
      }
      seen |= byte;
      escaped[out++] = byte;
    }
    return -1;
  }

  #open(bytes: Buffer, at: number, container: number): number {
    this.#put(container);
    if (container === openBracket) return at + 1;
    this.#keys.enter();
    return this.#key(bytes, at + 1);
  }

  #next(bytes: Buffer, at: number, container: number): number {
    this.#put(comma);
    return container === openBrace ? this.#key(bytes, at + 1) : at + 1;
  }

  #close(bytes: Buffer, at: number, container: number): number {
    if (bytes[at] !== container + toClosing) return -1;
    this.#put(container + toClosing);
    if (container === openBrace) this.#keys.leave();
    return at + 1;
  }

  #empty(at: number, container: number): number {
    this.#put(container);
    this.#put(container + toClosing);
    return at + 2;
  }

  /** A key and its colon. */
  #key(bytes: Buffer, start: number): number {
    if (bytes[start] !== quote || isDigit(bytes[start + 1])) return -1;
    const end = this.readString(bytes, start);
    if (end < 0 || bytes[end] !== colon || !this.#keys.add(bytes, start + 1, end - 1)) return -1;
    this.#put(colon);
    return end + 1;
  }

  #scalar(bytes: Buffer, start: number): number {
    const first = bytes[start] ?? 0;
    if (first === quote) return this.readString(bytes, start);
    const literal = literals.get(first);
    return literal === undefined ? this.#number(bytes, start) : this.#literal(bytes, start, literal);
  }

  #literal(bytes: Buffer, start: number, literal: Buffer): number {
    for (let i = 0; i < literal.length; i++) {
      const byte = literal[i] as number;
      if (bytes[start + i] !== byte) return -1;
      this.#put(byte);
    }
    return start + literal.length;
  }

  #number(bytes: Buffer, start: number): number {
    let at = start;
    for (let byte = bytes[at] ?? 0; isOfNumber[byte] === 1; byte = bytes[++at] ?? 0) this.#put(byte);
    if (at === start) return -1;
    return isPlainDecimal(bytes, start, at) || isAsWritten(bytes.toString('latin1', start, at)) ? at : -1;
  }

  #put(byte: number): void {
    this.escaped[this.escapedBytes++] = byte;
  }
}

/** Whether it is a number as people write it, without sign, exponent or needless zeros, and few digits: the usual case. */
function isPlainDecimal(bytes: Buffer, start: number, end: number): boolean {
  const pointAt = digitsEnd(bytes, start);
  const startsWithZero = bytes[start] === digitZero;
  if (end - start > maxExactDigits || pointAt === start) return false;
  if (pointAt === end) return !startsWithZero || end === start + 1;
  const isWholePlain = !startsWithZero || (pointAt === start + 1 && end - pointAt - 1 <= maxFractionOfZero);
  return isWholePlain && bytes[pointAt] === point && isFraction(bytes, pointAt + 1, end);
}

/** Digits, the last of which is needed. */
function isFraction(bytes: Buffer, start: number, end: number): boolean {
  return start < end && digitsEnd(bytes, start) === end && bytes[end - 1] !== digitZero;
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at++;
  return at;
}

/** Whether it is the very text in which JavaScript writes the number: then it is a JSON number too. */
function isAsWritten(number: string): boolean {
  return String(Number(number)) === number;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= digitZero && byte <= digitNine;
}

function flagsOf(characters: string): Uint8Array {
  const flags = new Uint8Array(256);
  for (const byte of Buffer.from(characters)) flags[byte] = 1;
  return flags;
}
