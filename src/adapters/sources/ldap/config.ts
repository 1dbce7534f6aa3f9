import * as z from 'zod';
import { pathSetting } from '../../../domain/settings.ts';
import { serverSettings } from '../server/config.ts';

/** A source of kind `ldap`: `{ ldap: { container: openldap, suffix: 'dc=home,dc=lan' } }`. */
export const ldapSchema = z.strictObject({
  ldap: z
    .strictObject({
      container: serverSettings.container,
      config: pathSetting
        .describe('The folder of cn=config (slapd.d), in the container when there is one')
        .exactOptional(),
      suffix: z.string().min(1, 'Must not be empty.').describe('As in dc=home,dc=lan'),
      runAs: serverSettings.runAs,
    })
    .describe('OpenLDAP, by slapcat'),
});

export type LdapSettings = z.infer<typeof ldapSchema>;
