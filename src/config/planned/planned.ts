import { z } from 'zod';
import { roles } from '../../domain/settings.ts';

/** Marks a setting that is accepted and not built yet: `what` stands in the warning, as in "units are not built yet". */
export function planned<T extends z.ZodType>(schema: T, what: string, description: string): T {
  const copy = schema.describe(description); // a copy, so that a shared schema is not marked everywhere
  (copy as z.ZodType).register(roles, { planned: what });
  return copy;
}

export const portSetting = z.int().min(1, 'A port is 1 to 65535.').max(65_535, 'A port is 1 to 65535.');
export const webAddress = z.string().regex(/^https?:\/\/[^\s/]\S*$/i, 'Write an address: http://… or https://…');
export const hostAndPort = z
  .string()
  .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, 'Write a host and a port: 10.0.0.14:9000');
