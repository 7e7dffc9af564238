import { type Given, unusable } from './given.ts';

const URL_FORM = /^([a-z][a-z\d+.-]*):\/\/([^/]*)(\/.*)?$/i;
/** The notation of Docker and ssh for a remote port and a local service: 3000:8001, 8001:localhost:3000. */
const PORT_AND_PORT = /^(\d{1,5}):(\d{1,5})$/;
const PORT_AND_SERVICE = /^(\d{1,5}):([^:]+:\d{1,5})$/;

/**
 * Translates the notations of other programs: `:3000` to `3000`, `http://localhost:3000` to `localhost:3000`. Rejects
 * anything that seems to ask for more than a tunnel does, with a hint. Throws `usage`.
 */
export function withoutHabits(given: Given, type: 'tcp' | 'http'): string {
  const { text } = given;
  const [, here, there] = PORT_AND_PORT.exec(text) ?? [];
  if (here !== undefined) {
    throw unusable(given, 'two ports were given', twoPortsHint(type, here, there));
  }
  const [, publicPort, service] = PORT_AND_SERVICE.exec(text) ?? [];
  if (service !== undefined) {
    throw unusable(given, 'two ports were given', twoPortsHint(type, service, publicPort));
  }
  const [, scheme, authority = '', path = '/'] = URL_FORM.exec(text) ?? [];
  return scheme === undefined
    ? text.replace(/^:(?=\d)/, '')
    : fromUrl(given, scheme.toLowerCase(), authority, path, type);
}

function twoPortsHint(type: 'tcp' | 'http', service: string, publicPort: string | undefined): string {
  return type === 'tcp'
    ? `the public port is a flag: give ${service} --port ${publicPort}`
    : `a tunnel of this type has a name and no port: give ${service}`;
}

function fromUrl(given: Given, scheme: string, authority: string, path: string, type: 'tcp' | 'http'): string {
  const hasPort = /:\d+$/.test(authority);
  switch (scheme) {
    case 'http':
    case 'tcp':
      if (path !== '/' || authority.includes('@')) {
        throw unusable(given, 'a tunnel carries a whole port, not a path on it', `give ${shown(authority)}`);
      }
      return hasPort || scheme === 'tcp' ? authority : `${authority}:80`;
    case 'https':
      if (type === 'http') {
        throw unusable(
          given,
          'the service is spoken to in plain HTTP',
          `give the port that speaks HTTP; \`tunnel local ${hasPort ? shown(authority) : `${shown(authority)}:443`}\` carries TLS as it is`,
        );
      }
      throw unusable(
        given,
        'a tunnel carries TCP as it is: TLS is between visitor and service, whose certificate has to match',
        `give ${hasPort ? shown(authority) : `${shown(authority)}:443`}, and visit it with https://`,
      );
    default:
      throw unusable(given, 'a tunnel carries TCP and takes no URL', 'give the service as host:port');
  }
}

/** The authority without user and password. */
function shown(authority: string): string {
  return authority.slice(authority.lastIndexOf('@') + 1);
}
