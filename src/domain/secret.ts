/** Everything that was ever a secret in this process, and the forms in which programs print it, longest first. */
let forms: readonly string[] = [];

/** Lines of a secret that are shorter than this are too common to be masked one by one. */
const SHORTEST_LINE = 8;

/** Makes {@link maskSecrets} hide this value from now on: as it is, percent-encoded, escaped as in JSON, and each longer
 *  line of it, since programs print keys line by line. A value of spaces alone hides nothing. Every {@link Secret} is
 *  registered when it is made; this is for what never becomes one, such as a password inside a URL. */
export function registerSecret(value: string): void {
  if (value.trim() === '') return;
  const lines = value.split(/\r?\n/).map((line) => line.trim());
  const whole = [value, value.trim(), encodeURIComponent(value.toWellFormed()), JSON.stringify(value).slice(1, -1)];
  const found = [...whole, ...lines.filter((line) => line.length >= SHORTEST_LINE)];
  if (found.every((form) => forms.includes(form))) return;
  // The longest first: a secret that contains another one is hidden whole.
  forms = [...new Set([...forms, ...found])].toSorted((a, b) => b.length - a.length);
}

/** The text with every known secret as `***`. */
export const maskSecrets = (text: string): string => forms.reduce((rest, form) => rest.replaceAll(form, '***'), text);

/** Characters of the longest form: a text that is cut somewhere may end or begin with a part of it that is shorter. */
export const longestSecret = (): number => forms[0]?.length ?? 0;

/** A value that is shown nowhere: it prints as `***`, whatever prints it, and is masked in every log from then on. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
    registerSecret(value);
  }
  /** The value itself, for a child's environment, a file descriptor or a 0600 file; never for an argument list. */
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '***';
  }
  toJSON(): string {
    return '***';
  }
}
