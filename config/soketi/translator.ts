/** What one soketi setting became. Without `to` it has no counterpart. */
export interface SoketiTranslation {
  /** The variable, or the option of the file. */
  readonly from: string;
  readonly to?: string;
  readonly note?: string;
}

/** Collects what became of each setting. */
export class Translator {
  readonly #translations: SoketiTranslation[] = [];

  became(from: string, to: string, note?: string): void {
    this.#translations.push({ from, to, ...(note !== undefined && { note }) });
  }

  hasNone(from: string, note?: string): void {
    this.#translations.push({ from, ...(note !== undefined && { note }) });
  }

  get translations(): readonly SoketiTranslation[] {
    return this.#translations;
  }

  /** How the person wrote what became the setting at this path. */
  originOf(key: string): string | undefined {
    return this.#translations.find(({ to }) => to !== undefined && (to === key || key.startsWith(`${to}[`)))
      ?.from;
  }
}
