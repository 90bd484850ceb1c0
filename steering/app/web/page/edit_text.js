// Edits in the notation of the command line: a kind, then fields NAME=VALUE, separated by commas.

function readEdit(text) {
  const [kind, ...rest] = text.split(",").map((part) => part.trim());
  const fields = {};
  for (const part of rest) {
    const at = part.indexOf("=");
    if (at > 0) fields[part.slice(0, at).trim()] = part.slice(at + 1).trim();
  }
  return { kind, fields };
}

function writeEdit({ kind, fields }) {
  return [kind, ...Object.entries(fields).filter(([, value]) => value !== "" && value !== undefined).map(([name, value]) => `${name}=${value}`)].join(",");
}

// The fields that an edit keeps when its kind changes, with what the new kind cannot do without.
function turnedInto(edit, kind, kinds, site) {
  const fields = {};
  for (const name of kinds[kind] || []) if (edit.fields[name] !== undefined) fields[name] = edit.fields[name];
  if (kind === "patch" && !fields.vector) fields.vector = "activation-mean";
  if (kind === "clamp") {
    fields.index ??= (site?.shape || [1]).map(() => 0).join("+");
    fields.value ??= "1";
  }
  if ((kind === "patch" || kind === "ablate") && fields.channels && fields.place) delete fields.place;
  return { kind, fields };
}

// What can be added at one press: [words, text of the edit].
function presetEdits(hello, site) {
  const vectors = new Set(hello.taken), kinds = hello.kinds;
  const found = [];
  const offer = (words, text) => {
    const { kind, fields } = readEdit(text);
    if (kinds[kind] && (!fields.vector || vectors.has(fields.vector) || hello.vectors.includes(fields.vector))) found.push([words, text]);
  };
  offer("subtract the cheese vector", "subtract,vector=cheese");
  offer("add the cheese vector", "add,vector=cheese");
  offer("subtract the mean cheese vector", "subtract,vector=cheese-mean");
  offer("add the top-right vector", "add,vector=top-right");
  offer("patch in the mean activation", "patch,vector=activation-mean");
  offer("ablate the whole site", "ablate");
  offer("ablate around the cheese", "ablate,place=cheese");
  offer("clamp one activation", writeEdit(turnedInto({ fields: {} }, "clamp", kinds, site)));
  offer("noise of the cheese vector's size", kinds.noise ? "noise" : "add,vector=random");
  for (const name of hello.vectors) offer(`subtract the vector of ${name}`, `subtract,vector=${name}`);
  return found;
}

function listOfNumbers(text) {
  return (text.match(/\d+/g) || []).join("+");
}
