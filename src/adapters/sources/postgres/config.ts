import * as z from 'zod';
import { choiceSettings, chosenOneWay, namesOneWay, ONE_CHOICE, ONE_WAY, serverSettings } from '../server/config.ts';

/** A source of kind `postgres`: `{ postgres: { database: mealie, user: postgres } }`. */
export const postgresSchema = z.strictObject({
  postgres: z
    .strictObject({
      ...serverSettings,
      ...choiceSettings,
      globals: z.boolean().describe('Roles, grants to roles and tablespaces, as an item of their own').exactOptional(),
    })
    .refine(namesOneWay, ONE_WAY)
    .refine(chosenOneWay, ONE_CHOICE)
    .refine(
      // one error is enough
      (all) => !namesOneWay(all) || [all.database, all.databases].some((one) => one !== undefined) || all.globals,
      'Say what is dumped: database, databases or globals.',
    )
    .describe('PostgreSQL, by pg_dump'),
});

export type PostgresSettings = z.infer<typeof postgresSchema>;
