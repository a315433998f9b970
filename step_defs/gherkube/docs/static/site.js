// Search, the theme, and keys. The index is a script of its own (search-index.js), so all works from disk.
(() => {
  'use strict'
  const root = document.body.dataset.root
  const input = document.getElementById('search')
  const list = document.getElementById('found')
  const rows = (window.GHERKUBE_INDEX || []).map((row) => ({ row, title: row[1].toLowerCase(), rest: row[3].toLowerCase() }))
  const weight = { profile: 4, clause: 3, component: 3, feature: 2, scenario: 1 }
  let chosen = -1

  const score = (one, words) => {
    let total = weight[one.row[0]] || 0
    for (const word of words) {
      const at = one.title.indexOf(word)
      if (at >= 0) total += at === 0 || /\W/.test(one.title[at - 1]) ? 30 : 15
      else if (one.rest.includes(word)) total += 5
      else return 0
    }
    return total
  }

  const marked = (text, words) => {
    const parts = document.createDocumentFragment()
    const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})`, 'gi')
    text.split(pattern).forEach((part, number) => {
      if (number % 2) parts.append(Object.assign(document.createElement('mark'), { textContent: part }))
      else parts.append(part)
    })
    return parts
  }

  const excerpt = (text, words) => {
    const at = Math.max(0, ...words.map((word) => text.toLowerCase().indexOf(word)))
    const from = Math.max(0, at - 40)
    return (from ? '… ' : '') + text.slice(from, from + 130)
  }

  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean)
    chosen = -1
    list.replaceChildren()
    const found = words.length ? rows.map((one) => [score(one, words), one]).filter(([total]) => total) : []
    found.sort((a, b) => b[0] - a[0])
    for (const [, one] of found.slice(0, 20)) {
      const [kind, title, where, rest] = one.row
      const link = Object.assign(document.createElement('a'), { href: root + where, tabIndex: -1 })
      const small = document.createElement('small')
      link.append(marked(title, words))
      small.append(`${kind} · `, marked(excerpt(rest, words), words))
      link.append(small)
      const item = document.createElement('li')
      item.setAttribute('role', 'option')
      item.setAttribute('aria-selected', 'false')
      item.id = `found-${list.children.length}`
      item.append(link)
      list.append(item)
    }
    if (words.length && !found.length) {
      const none = document.createElement('li')
      none.setAttribute('role', 'option')
      none.setAttribute('aria-disabled', 'true')
      none.textContent = 'nothing found'
      list.append(none)
    }
    list.hidden = !words.length
    input.setAttribute('aria-expanded', String(!list.hidden))
    input.removeAttribute('aria-activedescendant')
  }

  const choose = (number) => {
    const items = [...list.querySelectorAll('li:not([aria-disabled])')]
    if (!items.length) return
    chosen = (number + items.length) % items.length
    items.forEach((item, at) => item.setAttribute('aria-selected', String(at === chosen)))
    items[chosen].scrollIntoView({ block: 'nearest' })
    input.setAttribute('aria-activedescendant', items[chosen].id)
  }

  const close = () => {
    list.hidden = true
    input.setAttribute('aria-expanded', 'false')
  }

  input.addEventListener('input', show)
  input.addEventListener('focus', () => input.value && show())
  input.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') choose(chosen + 1)
    else if (event.key === 'ArrowUp') choose(chosen - 1)
    else if (event.key === 'Enter') list.querySelectorAll('a')[Math.max(chosen, 0)]?.click()
    else if (event.key === 'Escape') close()
    else return
    event.preventDefault()
  })
  list.addEventListener('click', close)
  document.addEventListener('click', (event) => event.target.closest('.search') || close())
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && !event.target.closest('input, textarea')) {
      event.preventDefault()
      input.focus()
    }
  })

  const kept = (value) => {
    try {
      return value ? localStorage.setItem('gherkube-theme', value) : localStorage.getItem('gherkube-theme')
    } catch {
      return null // pages from disk may be kept from storing anything
    }
  }
  const html = document.documentElement
  if (kept()) html.dataset.theme = kept()
  document.getElementById('theme').addEventListener('click', () => {
    const dark = html.dataset.theme ? html.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
    html.dataset.theme = dark ? 'light' : 'dark'
    kept(html.dataset.theme)
  })
})()
