import { stringify } from 'yaml';
import { type Configuration, configurationSchema } from './schema.ts';
import { isMapping, rewrite } from './walk.ts';

const MASK = '***';

/** The password of `scheme://user:password@host`, and values of a query that are named like secrets. */
const maskAddress = (text: string): string =>
  text
    .replaceAll(/(:\/\/[^\s/:@]*:)[^\s/?#]*@/g, `$1${MASK}@`)
    .replaceAll(/([?&][^=&#\s]*(?:token|key|secret|pass|auth|sig)[^=&#\s]*=)[^&#\s]+/gi, `$1${MASK}`);

/** `https://hooks.example/T0/B1/xyz`: all that follows the host lets others in. */
function maskToken(address: string): string {
  const [host] = /^[a-z]+:\/\/[^/?#]+/i.exec(maskAddress(address)) ?? [];
  return host === undefined ? MASK : `${host}/${MASK}`;
}

function maskStrings(value: unknown): unknown {
  if (typeof value === 'string') return maskAddress(value);
  if (Array.isArray(value)) return value.map(maskStrings);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, maskStrings(part)]));
}

/** The configuration without what must not be seen: secrets that stand in it, variables of programs, tokens and passwords
 *  in addresses. References to secrets stay. For `config show` and for manifests. */
export const maskedConfiguration = (configuration: Configuration): unknown =>
  maskStrings(
    rewrite(configurationSchema, configuration, (role, value) => {
      if (typeof value !== 'string') return undefined;
      if (role.secret || role.environment) return MASK;
      return role.token ? maskToken(value) : undefined;
    }),
  );

/** The merged configuration as YAML, masked; it passes as a configuration again where nothing was masked. */
export const printConfiguration = (configuration: Configuration): string =>
  stringify(maskedConfiguration(configuration), { lineWidth: 0 });
