import type { HoldfastError } from '../domain/errors.ts';
import { printable } from './render/table.ts';

/** Where it asks: clack draws on `output` and reads keys from `input`. */
export interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** Leaves the wizard from wherever it is. */
export class Left extends Error {}

export interface Choice<Value> {
  readonly value: Value;
  readonly label: string;
  readonly hint?: string;
}

/** Asks one thing at a time. @throws Left when a question is left; the signal's reason */
export interface Questions {
  /** @param initial where the cursor stands: at the first when left out */
  one<Value extends string>(message: string, choices: readonly Choice<Value>[], initial?: Value): Promise<Value>;
  several(message: string, choices: readonly Choice<string>[]): Promise<readonly string[]>;
  text(message: string, initial: string, refuse: (text: string) => string | undefined): Promise<string>;
  yes(message: string): Promise<boolean>;
  say(text: string, title: string): void;
  refuse(error: HoldfastError): void;
}

const ROWS = 12;

export async function questions({ input, output }: Terminal, signal: AbortSignal): Promise<Questions> {
  const clack = await import('@clack/prompts');
  const common = { input, output, signal };
  function answered<Value>(answer: Value): Exclude<Value, symbol> {
    signal.throwIfAborted(); // an abort looks like Escape to the prompt
    if (clack.isCancel(answer)) throw new Left();
    return answer as Exclude<Value, symbol>;
  }
  return {
    async one<Value extends string>(message: string, choices: readonly Choice<Value>[], initial?: Value) {
      const options = [...choices] as Choice<string>[];
      const at = initial === undefined ? {} : { initialValue: initial };
      return answered(await clack.select<string>({ ...common, ...at, message, options, maxItems: ROWS })) as Value;
    },
    async several(message, choices) {
      const initialValues = choices.map(({ value }) => value);
      const wanted = { ...common, message, options: [...choices], initialValues, required: true, maxItems: ROWS };
      return answered(await clack.multiselect<string>(wanted));
    },
    text: async (message, initialValue, refuse) =>
      answered(await clack.text({ ...common, message, initialValue, validate: (text) => refuse(text ?? '') })),
    yes: async (message) => answered(await clack.confirm({ ...common, message, initialValue: false })),
    say: (text, title) => clack.note(text, title, { output }),
    refuse: (error) => clack.log.error(`${printable(error.message)}\n${printable(error.hint)}`, { output }),
  };
}
