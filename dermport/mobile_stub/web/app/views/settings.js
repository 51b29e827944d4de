import {fill, h} from '../dom.js';
import {APP_VERSION} from '../phone-model.js';
import {CATALOGUES} from '../words.js';
import {modelSettings} from './model-settings.js';
import {originCard} from './origin.js';

const PSEUDONYM = '[A-Za-z0-9._\\-]{1,64}';
const PRIVACY = ['photo', 'prepared', 'nothing'];

/** What the user may choose, and what this phone has. */
export function settingsView(app, {say, signal}) {
  const {words} = app;
  return [
    h('h1', {tabindex: -1}, words.say('settings.title')),
    privacy(app),
    access(app, say),
    modelSettings(app, signal),
    language(app),
    originCard(words) ?? kept(app),
    about(words),
  ];
}

function privacy({words, settings, model}) {
  const size = model.release?.manifest.preprocessing.size ?? 224;
  const choice = (value) => h('label', {class: 'choice'},
    h('input', {
      type: 'radio', name: 'privacy', value, checked: settings.values.privacy === value,
      on: {change: () => settings.set({privacy: value})},
    }),
    h('span', {}, h('span', {class: 'strong'}, words.say(`privacy.${value}`)),
      h('span', {class: 'quiet'}, words.say(`privacy.${value}.why`, {size}))));
  return h('fieldset', {class: 'card'}, h('legend', {}, words.say('privacy.title')), PRIVACY.map(choice));
}

function access({words, settings, queue, model}, say) {
  const {values} = settings;
  const key = field(words, 'key', {type: 'password', autocomplete: 'off', value: values.apiKey});
  const device = field(words, 'device', {value: values.device, pattern: PSEUDONYM, maxlength: 64});
  const saved = h('span', {class: 'quiet', role: 'status'});
  const keep = async (event) => {
    event.preventDefault();
    settings.set({apiKey: key.input.value.trim(), device: device.input.value.trim()});
    fill(saved, words.say('settings.saved'));
    say(words.say('settings.saved'));
    await Promise.all([queue.flush(), model.state === 'missing' && model.update()]);
  };
  return h('form', {class: 'card', on: {submit: keep}}, key.label, device.label,
    h('div', {class: 'actions'}, h('button', {type: 'submit'}, words.say('settings.save')), saved));
}

function field(words, name, props) {
  const [id, help] = [`setting-${name}`, `help-${name}`];
  const input = h('input', {id, 'aria-describedby': help, spellcheck: 'false', autocapitalize: 'off', ...props});
  const label = h('div', {class: 'field'},
    h('label', {for: id, class: 'strong'}, words.say(`settings.${name}`)),
    input,
    h('p', {class: 'quiet', id: help}, words.say(`settings.${name}.help`)));
  return {input, label};
}

function language({words, settings}) {
  const option = (value, text, lang) =>
    h('option', {value, lang, selected: settings.values.language === value}, text);
  const choose = ({target}) => settings.set({language: target.value});
  const select = h('select', {id: 'setting-language', on: {change: choose}},
    option('auto', words.say('settings.language.auto')),
    Object.entries(CATALOGUES).map(([code, catalogue]) => option(code, catalogue['language.name'], code)));
  const label = h('label', {for: 'setting-language', class: 'strong'}, words.say('settings.language'));
  return h('div', {class: 'card field'}, label, select);
}

function kept({words, offline}) {
  if (!offline.error) return h('p', {class: 'quiet'}, words.say('settings.secure'));
  return h('p', {class: 'quiet'}, words.say('settings.not-kept'), ' ', h('span', {lang: 'en'}, offline.error.message));
}

function about(words) {
  return h('section', {class: 'card'}, h('h2', {}, words.say('settings.about')),
    h('p', {}, `${words.say('settings.version')}: ${APP_VERSION}`),
    h('p', {}, h('a', {href: 'LICENCES.txt', target: '_blank', rel: 'noopener'}, words.say('settings.licences'))));
}
