import type * as z from 'zod';
import type { Problem } from './diagnostic.ts';
import { explain } from './issues.ts';
import { isMapping } from './walk.ts';

/** Takes the part at `path` out of a mapping; a list goes as a whole, so that places in others stay what they are. */
function takeOut(value: Record<string, unknown>, [part, ...rest]: Problem['path']): void {
  const inner = value[String(part)];
  if (rest.length > 0 && isMapping(inner)) takeOut(inner, rest);
  else delete value[String(part)];
}

/** Each round leaves out what became incomplete by the one before, one level further out. */
const ROUNDS = 8;

/** What remains of a configuration without its faults, so that one run of `config check` names broken references too.
 *  Null when nothing sound remains. */
export function soundPart(schema: z.core.$ZodType, value: object, problems: readonly Problem[]): unknown {
  const rest: Record<string, unknown> = { ...structuredClone(value) };
  let wrong = problems;
  for (let round = 0; round < ROUNDS; round += 1) {
    if (wrong.length === 0) return rest;
    for (const { path } of wrong) if (path.length > 0) takeOut(rest, path);
    rest.version = 1; // without it nothing else would be looked at
    wrong = explain(schema, rest);
  }
  return null;
}
