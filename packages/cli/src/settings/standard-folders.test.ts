import { describe, expect, test } from 'vitest';
import { type FolderKind, standardFolder, standardFolderName } from './standard-folders.ts';

const PROFILE = 'C:\\Users\\ada';

describe.each(['linux', 'darwin'] as const)('on %s', (platform) => {
  test.each<[FolderKind, string]>([
    ['state', '/home/ada/.local/state/tunnel'],
    ['config', '/home/ada/.config/tunnel'],
  ])('the folder for %s is that of XDG', (kind, folder) => {
    expect(standardFolder(kind, {}, platform, () => '/home/ada')).toBe(folder);
    expect(standardFolder(kind, { LOCALAPPDATA: '/l', APPDATA: '/a' }, platform, () => '/home/ada')).toBe(folder);
    const variable = `XDG_${kind.toUpperCase()}_HOME`;
    expect(standardFolder(kind, { [variable]: '/x' }, platform, () => '/home/ada')).toBe('/x/tunnel');
    for (const relative of ['', 'x', '.']) {
      expect(standardFolder(kind, { [variable]: relative }, platform, () => '/home/ada')).toBe(folder);
    }
  });

  test('people know them by the short names', () => {
    expect(standardFolderName('state', platform)).toBe('~/.local/state/tunnel');
    expect(standardFolderName('config', platform)).toBe('~/.config/tunnel');
  });

  test('a user without a home directory has none', () => {
    expect(standardFolder('state', {}, platform, () => undefined)).toBeUndefined();
  });
});

describe('on Windows', () => {
  const environment = { LOCALAPPDATA: `${PROFILE}\\AppData\\Local`, APPDATA: `${PROFILE}\\AppData\\Roaming` };

  test.each<[FolderKind, string]>([
    ['state', `${PROFILE}\\AppData\\Local\\tunnel`],
    ['config', `${PROFILE}\\AppData\\Roaming\\tunnel`],
  ])('the folder for %s is in the profile', (kind, folder) => {
    expect(standardFolder(kind, environment, 'win32', () => PROFILE)).toBe(folder);
    expect(standardFolder(kind, environment, 'win32', () => undefined)).toBe(folder);
    expect(standardFolder(kind, {}, 'win32', () => PROFILE)).toBe(folder);
    const variable = `XDG_${kind.toUpperCase()}_HOME`;
    expect(standardFolder(kind, { ...environment, [variable]: 'D:\\x' }, 'win32', () => PROFILE)).toBe('D:\\x\\tunnel');
  });

  test('people know them by the variables', () => {
    expect(standardFolderName('state', 'win32')).toBe('%LOCALAPPDATA%\\tunnel');
    expect(standardFolderName('config', 'win32')).toBe('%APPDATA%\\tunnel');
  });
});
