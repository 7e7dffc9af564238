import { expect, test } from 'vitest';
import { programCall } from './program-call.mjs';

const args = ['--check', '.', '--outputFile=C:\\my work\\result.json'];

test.each(['linux', 'darwin'])('on %s a program is spawned as it is', (platform) => {
  expect(programCall('/my work/tsc', args, platform)).toEqual({ file: '/my work/tsc', args, options: {} });
});

test('on Windows the shell has to find the batch file, and gets its words in quotation marks', () => {
  expect(programCall('C:\\my work\\.bin\\tsc', args, 'win32')).toEqual({
    file: '"C:\\my work\\.bin\\tsc" --check . "--outputFile=C:\\my work\\result.json"',
    args: [],
    options: { shell: true },
  });
  expect(programCall('npx', ['-y', 'pnpm@12.21.0'], 'win32').file).toBe('npx -y pnpm@12.21.0');
  for (const word of ['%PATH%', 'a"b']) expect(() => programCall('npx', [word], 'win32')).toThrow('cannot be passed');
});
