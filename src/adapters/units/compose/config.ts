import * as z from 'zod';
import { pathSetting } from '../../../domain/settings.ts';

export const composeSchema = z.strictObject({ compose: pathSetting.describe('The compose file of a project') });
