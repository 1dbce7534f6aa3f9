import type { RedisSettings } from './config.ts';

/** redis-cli 7: where the server is, and as whom. The password goes by REDISCLI_AUTH. */
const connection = ({ redis: { socket, host, port, user } }: RedisSettings): string[] => [
  ...(socket === undefined ? [] : ['-s', socket]),
  ...(host === undefined ? [] : ['-h', host]),
  ...(port === undefined ? [] : ['-p', `${port}`]),
  ...(user === undefined ? [] : ['--user', user]),
  '--no-auth-warning',
];

export const information = (settings: RedisSettings): string[] => [...connection(settings), 'INFO'];

/** Prints names and values in turn, each on a line of its own. */
export const setting = (settings: RedisSettings, pattern: string): string[] => [
  ...[...connection(settings), 'CONFIG', 'GET', pattern],
];

/** The server forks and sends its data as to a replica; `-` is stdout. */
export const replicate = (settings: RedisSettings): string[] => [...connection(settings), '--rdb', '-'];
