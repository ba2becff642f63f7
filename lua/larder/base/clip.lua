--- The first n bytes of a text, without the beginning of a character that would not fit.
---@param text string
---@param n integer
---@return string
return function(text, n)
  if #text <= n then return text end
  while n > 0 and (text:byte(n + 1) or 0) >= 0x80 and text:byte(n + 1) < 0xC0 do n = n - 1 end
  return text:sub(1, n)
end
