/** A value that is shown nowhere: it prints as `***`, whatever prints it. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
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
