import * as z from 'zod';
import { durationSetting, percentageSetting } from '../domain/settings.ts';

const text = z.string().min(1, 'Must not be empty.');
const count = z.int().min(0);

/** Made when it is needed: most configurations keep the defaults. */
export const guardSchema = z
  .lazy(() =>
    z.strictObject({
      when: z
        .enum(['always', 'auto'])
        .describe('auto: not when the operation is reversible or a point is fresh')
        .exactOptional(),
      fresh: durationSetting.describe('How young a point counts as fresh').exactOptional(),
      settle: durationSetting.describe('How long checks are tried').exactOptional(),
      steady: durationSetting.describe('How long units must stay up').exactOptional(),
      limit: durationSetting.describe('How long a unit may be starting').exactOptional(),
      retries: count.exactOptional(),
      keep: z.strictObject({ latest: count.exactOptional(), within: durationSetting.exactOptional() }).exactOptional(),
      keptStates: durationSetting.describe('How long the state before a rollback is kept').exactOptional(),
      minFree: percentageSetting.describe('Below it no snapshot is made').exactOptional(),
      operations: z
        .record(
          text,
          z.strictObject({ reversible: z.boolean().exactOptional(), persistent: z.boolean().exactOptional() }),
        )
        .exactOptional(),
    }),
  )
  .describe('How guard works');
