import * as z from 'zod';
import { pathSetting, portSetting, secretSetting } from '../../../domain/settings.ts';

const text = z.string().min(1, 'Must not be empty.');
const CONTAINER = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** How a database server is reached (interface, section 4): in a container, by a socket, or over the network. */
export const serverSettings = {
  container: z
    .string()
    .regex(CONTAINER, 'Write the name of a container: postgres')
    .describe('The container it runs in')
    .exactOptional(),
  socket: pathSetting.describe('Its socket: a folder for PostgreSQL, a file elsewhere').exactOptional(),
  host: text.describe('Where it listens').exactOptional(),
  port: portSetting.exactOptional(),
  user: text.describe('The account in the database').exactOptional(),
  password: secretSetting.exactOptional(),
  runAs: text.describe('The account its tools run under').exactOptional(),
};

export type ServerSettings = z.infer<z.ZodObject<typeof serverSettings>>;

export const namesOneWay = ({ container, socket, host }: ServerSettings): boolean =>
  [container, socket, host].filter((way) => way !== undefined).length <= 1;
export const ONE_WAY = 'Name the server in one way: container, socket, or host and port.';

/** Which of a server's databases are captured. */
export const choiceSettings = {
  database: text.describe('One database').exactOptional(),
  databases: z
    .union([z.literal('all'), z.array(text).min(1, 'Name at least one database.')])
    .describe('Several databases, or all')
    .exactOptional(),
};

export type ChoiceSettings = z.infer<z.ZodObject<typeof choiceSettings>>;

export const chosenOneWay = ({ database, databases }: ChoiceSettings): boolean =>
  database === undefined || databases === undefined;
export const ONE_CHOICE = 'Say either database or databases.';
