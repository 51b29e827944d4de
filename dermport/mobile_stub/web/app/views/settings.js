import {fill, h} from '../../lib/dom.js';
import {APP_VERSION} from '../phone-model.js';
import {modelSettings} from './model-settings.js';
import {originCard} from './origin.js';

const PSEUDONYM = '[A-Za-z0-9._\\-]{1,64}';
const PRIVACY = ['photo', 'prepared', 'nothing'];

/** What the user may choose, and what this phone has. */
export function settingsView(app, {say, signal}) {
  const {i18n} = app;
  return [
    h('h1', {tabindex: -1}, i18n.t('settings.title')),
    privacy(app),
    access(app, say),
    modelSettings(app, signal),
    language(app),
    originCard(i18n) ?? kept(app),
    about(i18n),
  ];
}

function privacy({i18n, settings, model}) {
  const size = model.release?.manifest.preprocessing.size ?? 224;
  const choice = (value) => h('label', {class: 'choice'},
    h('input', {
      type: 'radio', name: 'privacy', value, checked: settings.values.privacy === value,
      onchange: () => settings.set({privacy: value}),
    }),
    h('span', {}, h('span', {class: 'strong'}, i18n.t(`privacy.${value}`)),
      h('span', {class: 'quiet'}, i18n.t(`privacy.${value}.why`, {size}))));
  return h('fieldset', {class: 'card'}, h('legend', {}, i18n.t('privacy.title')), PRIVACY.map(choice));
}

function access({i18n, settings, queue, model}, say) {
  const {values} = settings;
  const key = field(i18n, 'key', {type: 'password', autocomplete: 'off', value: values.apiKey});
  const device = field(i18n, 'device', {value: values.device, pattern: PSEUDONYM, maxlength: 64});
  const saved = h('span', {class: 'quiet', role: 'status'});
  const keep = async (event) => {
    event.preventDefault();
    settings.set({apiKey: key.input.value.trim(), device: device.input.value.trim()});
    fill(saved, i18n.t('settings.saved'));
    say(i18n.t('settings.saved'));
    await Promise.all([queue.flush(), model.state === 'missing' && model.update()]);
  };
  return h('form', {class: 'card', onsubmit: keep}, key.label, device.label,
    h('div', {class: 'actions'}, h('button', {type: 'submit'}, i18n.t('settings.save')), saved));
}

function field(i18n, name, props) {
  const [id, help] = [`setting-${name}`, `help-${name}`];
  const input = h('input', {id, 'aria-describedby': help, spellcheck: 'false', autocapitalize: 'off', ...props});
  const label = h('div', {class: 'field'},
    h('label', {for: id, class: 'strong'}, i18n.t(`settings.${name}`)),
    input,
    h('p', {class: 'quiet', id: help}, i18n.t(`settings.${name}.help`)));
  return {input, label};
}

function language({i18n, settings}) {
  const option = (value, text, lang) =>
    h('option', {value, lang, selected: settings.values.language === value}, text);
  const choose = ({target}) => settings.set({language: target.value});
  const select = h('select', {id: 'setting-language', onchange: choose},
    option('auto', i18n.t('settings.language.auto')),
    i18n.languages.map(([code, name]) => option(code, name, code)));
  const label = h('label', {for: 'setting-language', class: 'strong'}, i18n.t('settings.language'));
  return h('div', {class: 'card field'}, label, select);
}

function kept({i18n, offline}) {
  if (!offline.error) return h('p', {class: 'quiet'}, i18n.t('settings.secure'));
  return h('p', {class: 'quiet'}, i18n.t('settings.not-kept'), ' ', h('span', {lang: 'en'}, offline.error.message));
}

function about(i18n) {
  return h('section', {class: 'card'}, h('h2', {}, i18n.t('settings.about')),
    h('p', {}, `${i18n.t('settings.version')}: ${APP_VERSION}`),
    h('p', {}, h('a', {href: 'LICENCES.txt', target: '_blank', rel: 'noopener'}, i18n.t('settings.licences'))));
}
