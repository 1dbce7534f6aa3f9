import * as z from 'zod';
import { pathSetting } from '../../../domain/settings.ts';
import { namesOneWay, ONE_WAY, serverSettings } from '../server/config.ts';

/** A source of kind `redis`: `{ redis: { socket: /run/redis/redis.sock } }`. */
export const redisSchema = z.strictObject({
  redis: z
    .strictObject({
      ...serverSettings,
      rdb: pathSetting
        .describe('Where its RDB lies (dir and dbfilename), for a restore in place while it is down')
        .exactOptional(),
    })
    .refine(namesOneWay, ONE_WAY)
    .describe('Redis, as RDB through replication'),
});

export type RedisSettings = z.infer<typeof redisSchema>;
