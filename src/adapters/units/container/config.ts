import * as z from 'zod';

export const containerSchema = z.strictObject({
  container: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'Write the name of a container: traefik')
    .describe('A container, by its name'),
});
