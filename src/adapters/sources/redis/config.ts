import * as z from 'zod';
import { namesOneWay, ONE_WAY, serverSettings } from '../server/config.ts';

/** A source of kind `redis`: `{ redis: { socket: /run/redis/redis.sock } }`. */
export const redisSchema = z.strictObject({
  redis: z.strictObject(serverSettings).refine(namesOneWay, ONE_WAY).describe('Redis, as RDB through replication'),
});

export type RedisSettings = z.infer<typeof redisSchema>;
