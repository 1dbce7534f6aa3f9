import * as z from 'zod';
import { VALIDATORS } from '../adapters/registry.ts';

/** A check as its kind's schema left it, as far as the configuration itself reads it. */
export type CheckConfiguration = { readonly sql?: { readonly source: string } } & Readonly<Record<string, unknown>>;

const schemas = await Promise.all([...VALIDATORS.values()].map(({ schema }) => schema()));

/** How it is seen that a service works. Made when it is needed: most configurations have none. */
export const checksSchema = z
  .lazy(() => {
    const check = z.union(schemas as [z.ZodType, ...z.ZodType[]]);
    return z.array(check as z.ZodType<CheckConfiguration>);
  })
  .describe('How it is seen that the service works');
