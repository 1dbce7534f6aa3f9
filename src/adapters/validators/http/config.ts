import * as z from 'zod';
import { drillSetting, webAddressSetting } from '../../../domain/settings.ts';

/** `{ http: http://127.0.0.1:8096/health }`. */
export const httpSchema = z.strictObject({
  http: webAddressSetting.describe('An address that answers'),
  status: z.int().min(100).max(599).describe('200 to 399 when left out').exactOptional(),
  drill: drillSetting.exactOptional(),
});

export type HttpSettings = z.infer<typeof httpSchema>;
