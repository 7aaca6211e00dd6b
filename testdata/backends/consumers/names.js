// Readers of the two headers that carry names of the certificate as text, the
// careful kind and the careless ones that are about. All must find the same.
'use strict';

// cut splits at separators, a regular expression for one character, that stand
// outside quotes.
function cut(text, separators) {
  const pieces = [''];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && quoted) {
      pieces[pieces.length - 1] += text[i++] + (text[i] || '');
      continue;
    }
    quoted = quoted !== (text[i] === '"');
    if (!quoted && separators.test(text[i])) {
      pieces.push('');
    } else {
      pieces[pieces.length - 1] += text[i];
    }
  }
  return pieces;
}

// pair is [key, value], the value without quotes and percent-decoded.
function pair(text) {
  const at = text.indexOf('=');
  const value = text.slice(at + 1).replace(/^"|"$/g, '');
  try {
    return [text.slice(0, at).trim(), decodeURIComponent(value)];
  } catch {
    return [text.slice(0, at).trim(), value];
  }
}

// xfccNames are the pairs of Envoy's header, as read in three ways.
function xfccNames(text) {
  return {
    careful: cut(text, /[;,]/).map(pair),
    semicolons: text.split(';').map(pair),
    everywhere: text.split(/[;,]/).map(pair),
  };
}

// traefikInfo are the pairs of Traefik's, escaped as a whole with a plus sign for a space.
// Commas separate certificates, and within quotes the names.
function traefikInfo(text) {
  const info = decodeURIComponent(text.replaceAll('+', '%20'));
  const sans = (pieces) => pieces.map((piece) => {
    const [key, value] = [piece.slice(0, piece.indexOf('=')), piece.slice(piece.indexOf('=') + 1)];
    const listed = value.replace(/^"|"$/g, '').split(',').map(decodeURIComponent);
    return [key, key === 'SAN' ? listed : listed.join(',')];
  });
  return { careful: sans(cut(info, /[;,]/)), semicolons: sans(info.split(';')) };
}

module.exports = { xfccNames, traefikInfo };
