/** Places in the table, each an object's number and the hash of a key. */
const places = 4096;
/** Leaves as many bits of a hash as number the places. */
const placeShift = 20;
const maxProbes = 8;
const maxObjectNumber = 0x3fff_ffff;

/**
 * Finds keys given twice in one object of a JSON text, objects within objects included, without keeping the keys: by
 * their hashes, in one table that is used again for each text. It may take a new key for an old one, never the reverse.
 */
export class KeySet {
  readonly #table = new Int32Array(2 * places);
  /** The numbers of the objects around the present one. */
  readonly #outer: Int32Array;
  #depth = 0;
  #object = 0;
  /** Numbers go on from text to text: what has a lower one than `#first` is of an earlier text, and its place is free. */
  #first = 1;
  #last = 0;

  constructor(maxDepth: number) {
    this.#outer = new Int32Array(maxDepth);
  }

  /** A new text begins. */
  clear(): void {
    if (this.#last > maxObjectNumber) {
      this.#table.fill(0);
      this.#last = 0;
    }
    this.#first = this.#last + 1;
    this.#depth = 0;
  }

  /** An object begins. */
  enter(): void {
    this.#outer[this.#depth++] = this.#object;
    this.#object = ++this.#last;
  }

  /** The present object ends; the one around it is present again. */
  leave(): void {
    this.#object = this.#outer[--this.#depth] as number;
  }

  /** Adds the key in bytes `from` to `to` to the present object. False when it may be there already, or no place is left. */
  add(bytes: Buffer, from: number, to: number): boolean {
    const hash = hashOf(bytes, from, to);
    const table = this.#table;
    // Objects in a list have the same keys: each has places of its own.
    let place = (hash + Math.imul(this.#object, 0x9e37_79b1)) >>> placeShift;
    for (let probes = 0; probes < maxProbes; probes++) {
      const owner = table[2 * place] as number;
      if (owner < this.#first) {
        table[2 * place] = this.#object;
        table[2 * place + 1] = hash;
        return true;
      }
      if (owner === this.#object && table[2 * place + 1] === hash) return false;
      place = (place + 1) & (places - 1);
    }
    return false;
  }
}

function hashOf(bytes: Buffer, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x0100_0193);
  return hash ^ (hash >>> 15);
}
