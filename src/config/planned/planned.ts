import * as z from 'zod';
import { roles } from '../../domain/settings.ts';

/** A setting that is accepted and not built yet: `what` stands in the warning, as in "units". Its schema is made when a
 *  value is there to be checked: most configurations have few of these, and every start would pay for all. */
export function planned<T extends z.ZodType>(what: string, description: string, build: () => T): z.ZodLazy<T> {
  const schema = z.lazy(build).describe(description);
  (schema as z.ZodType).register(roles, { planned: what });
  return schema;
}
