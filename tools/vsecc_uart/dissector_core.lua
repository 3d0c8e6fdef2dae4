-- What is below is the same for every catalogue; dissector.py puts the constants of the frame before it, and
-- CATALOGUE[id] = {name, from, travel, fields = {{key, kind, low, high, names, bits, field}, ...}}

local bits_of = bit or bit32

local pf = {
    noise = ProtoField.bytes("vsecc_uart.noise", "Bytes that are no frame"),
    length = ProtoField.uint8("vsecc_uart.length", "Payload length", base.UNIT_STRING, {" bytes"}),
    control = ProtoField.uint8("vsecc_uart.control", "Control", base.HEX),
    format = ProtoField.uint8("vsecc_uart.format", "Frame format", base.DEC, nil, 0xf0),
    missing = ProtoField.bool("vsecc_uart.missing", "MISSING", 8, nil, 0x08),
    kind = ProtoField.uint8("vsecc_uart.kind", "Kind", base.DEC, KINDS, 0x07),
    session = ProtoField.uint16("vsecc_uart.session", "Session", base.HEX),
    number = ProtoField.uint32("vsecc_uart.number", "Number", base.DEC),
    ack = ProtoField.uint8("vsecc_uart.ack", "Ack: next reliable number expected, low 8 bits", base.DEC),
    there = ProtoField.uint16("vsecc_uart.there", "Later numbers that have come, bit 0 = ack + 1", base.HEX),
    payload = ProtoField.bytes("vsecc_uart.payload", "Payload"),
    crc = ProtoField.uint32("vsecc_uart.crc", "CRC-32", base.HEX),
    crc_good = ProtoField.bool("vsecc_uart.crc.good", "CRC is right"),
    message = ProtoField.string("vsecc_uart.message", "Message"),
    from = ProtoField.string("vsecc_uart.from", "Sent by"),
    repeated = ProtoField.framenum("vsecc_uart.repeat_of", "First sent in frame", base.NONE, frametype.RETRANS_PREV),
}
local px = {
    crc = ProtoExpert.new("vsecc_uart.expert.crc", "CRC is wrong", expert.group.CHECKSUM, expert.severity.ERROR),
    bad = ProtoExpert.new("vsecc_uart.expert.bad", "no frame", expert.group.MALFORMED, expert.severity.ERROR),
    short = ProtoExpert.new("vsecc_uart.expert.short", "frame ends too early", expert.group.MALFORMED, expert.severity.ERROR),
    payload = ProtoExpert.new("vsecc_uart.expert.payload", "no message of the catalogue", expert.group.PROTOCOL, expert.severity.ERROR),
    range = ProtoExpert.new("vsecc_uart.expert.range", "out of range", expert.group.PROTOCOL, expert.severity.ERROR),
    catalogue = ProtoExpert.new("vsecc_uart.expert.catalogue", "another catalogue than this dissector's: do not believe what fields are called", expert.group.PROTOCOL, expert.severity.WARN),
    repeated = ProtoExpert.new("vsecc_uart.expert.repeat", "sent again", expert.group.SEQUENCE, expert.severity.NOTE),
    missing = ProtoExpert.new("vsecc_uart.expert.missing", "receiver misses frames", expert.group.SEQUENCE, expert.severity.WARN),
}

local vsecc = Proto("vsecc_uart", "vsecc link between MCU and host")
local all_fields = {}
for _, field in pairs(pf) do all_fields[#all_fields + 1] = field end
for _, message in pairs(CATALOGUE) do
    for _, field in ipairs(message.fields) do all_fields[#all_fields + 1] = field.field end
end
vsecc.fields = all_fields
local all_experts = {}
for _, one in pairs(px) do all_experts[#all_experts + 1] = one end
vsecc.experts = all_experts

local direction_of = Field.new("frame.packet_flags_direction")
local comment_of = Field.new("frame.comment")

-- What the first pass learnt: bytes carried into a packet, and the packet a repeated frame was first in.
local carried, repeats, pending, seen

function vsecc.init()
    carried, repeats, pending, seen = {}, {}, {}, {}
end

local crc_table = {}
for index = 0, 255 do
    local value = index
    for _ = 1, 8 do
        if value % 2 == 1 then
            value = bits_of.bxor(bits_of.rshift(value, 1), 0xEDB88320)
        else
            value = bits_of.rshift(value, 1)
        end
    end
    crc_table[index] = value
end

local function crc32(range)
    local bytes, value = range:bytes(), 0xFFFFFFFF
    for index = 0, bytes:len() - 1 do
        local low = bits_of.band(bits_of.bxor(value, bytes:get_index(index)), 0xFF)
        value = bits_of.bxor(bits_of.rshift(value, 8), crc_table[low])
    end
    return bits_of.bxor(value, 0xFFFFFFFF) % 0x100000000
end

-- CBOR: returns kind, value, offset behind it; kind nil and a reason when it is not in the subset.
local function cbor_head(buffer, at, limit)
    if at >= limit then return nil, "payload is cut short" end
    local first = buffer(at, 1):uint()
    local major, low = math.floor(first / 32), first % 32
    if major == 7 then
        if first == 0xf4 or first == 0xf5 then return "bool", first == 0xf5, at + 1 end
        if first == 0xf6 then return "null", nil, at + 1 end
        return nil, "float or unknown simple value"
    end
    local value, width = low, 0
    if low >= 24 then
        if low > 27 then return nil, "indefinite length" end
        width = 2 ^ (low - 24)
        if at + 1 + width > limit then return nil, "payload is cut short" end
        local range = buffer(at + 1, width)
        value = width == 8 and range:uint64():tonumber() or range:uint()
    end
    at = at + 1 + width
    if major == 0 then return "int", value, at end
    if major == 1 then return "int", -1 - value, at end
    if major == 4 then return "array", value, at end
    if major == 2 or major == 3 then
        if at + value > limit then return nil, "payload is cut short" end
        return major == 2 and "bytes" or "text", buffer(at, value), at + value
    end
    return nil, "map or tag"
end

local function bit_names(value, names)
    local found = {}
    for index, name in ipairs(names) do
        if math.floor(value / 2 ^ (index - 1)) % 2 == 1 then found[#found + 1] = name end
    end
    return #found > 0 and table.concat(found, "+") or "-"
end

-- Adds one field; returns its text for the info column.
local function add_field(tree, field, kind, value, range)
    if kind ~= field.kind then
        tree:add(pf.payload, range):add_proto_expert_info(px.payload, field.key .. " is a " .. kind .. ", not a " .. field.kind)
        return field.key .. "=?"
    end
    local is_range = kind == "text" or kind == "bytes"
    local item = is_range and tree:add(field.field, value) or tree:add(field.field, range, value)
    local size = is_range and value:len() or value
    if kind ~= "bool" and (size < field.low or size > field.high) then
        local what = kind == "int" and "" or "length "
        item:add_proto_expert_info(px.range, field.key .. ": " .. what .. size .. " not in " .. field.low .. ".." .. field.high)
    end
    if field.bits then
        local names = bit_names(value, field.bits)
        item:append_text(" (" .. names .. ")")
        return field.key .. "=" .. names
    end
    if field.names then return field.key .. "=" .. (field.names[value] or value) end
    if kind == "text" then return field.key .. "=" .. value:string() end
    if kind == "bytes" then return field.key .. "=" .. tostring(value:bytes()) end
    return field.key .. "=" .. tostring(value)
end

local function add_message(tree, buffer, at, limit, kind_name, from)
    local whole = buffer(at, limit - at)
    local function refuse(reason)
        tree:add(pf.payload, whole):add_proto_expert_info(px.payload, reason)
        return "(" .. reason .. ")"
    end
    local kind, count, next_at = cbor_head(buffer, at, limit)
    if kind ~= "array" or count < 1 then return refuse(kind and "payload is not a message" or count) end
    local id_kind, id, after = cbor_head(buffer, next_at, limit)
    if id_kind ~= "int" then return refuse(id_kind and "payload is not a message" or id) end
    local message = CATALOGUE[id]
    if not message then return refuse("unknown message " .. id) end
    local branch = tree:add(pf.message, whole, message.name)
    if message.from ~= from and from then
        branch:add_proto_expert_info(px.payload, message.name .. " from the wrong end")
    end
    if kind_name ~= "handshake" and message.travel ~= kind_name then
        branch:add_proto_expert_info(px.payload, message.name .. " in the wrong kind of frame")
    end
    if count ~= #message.fields + 1 then
        branch:add_proto_expert_info(px.payload, message.name .. ": wrong number of fields")
        return message.name
    end
    local texts = {}
    for _, field in ipairs(message.fields) do
        local value_kind, value, value_end = cbor_head(buffer, after, limit)
        if not value_kind or value_kind == "array" or value_kind == "null" then
            branch:add_proto_expert_info(px.payload, value_kind and (field.key .. ": wrong type") or value)
            return message.name
        end
        texts[#texts + 1] = add_field(branch, field, value_kind, value, buffer(after, value_end - after))
        after = value_end
    end
    if after ~= limit then branch:add_proto_expert_info(px.payload, "trailing bytes") end
    local info = message.name .. " " .. table.concat(texts, " ")
    local theirs = info:match("^HELLO%S* .*catalogue_crc=(%d+)")
    if theirs and tonumber(theirs) ~= CATALOGUE_CRC then
        branch:add_proto_expert_info(px.catalogue)
    end
    return info
end

local function note_repeat(pinfo, at, tree, from, session, number)
    local place = pinfo.number .. ":" .. at
    if not pinfo.visited then
        local key = (from or "?") .. ":" .. session .. ":" .. number
        if seen[key] then repeats[place] = seen[key] else seen[key] = pinfo.number end
    end
    if repeats[place] then
        tree:add(pf.repeated, repeats[place]):set_generated():add_proto_expert_info(px.repeated)
        return " [repeat]"
    end
    return ""
end

local function add_frame(buffer, at, size, pinfo, root, from)
    local control = buffer(at + 3, 1):uint()
    local kind = control % 8
    local kind_name = KINDS[kind] or ("kind " .. kind)
    local session, number = buffer(at + 4, 2):le_uint(), buffer(at + 6, 4):le_uint() % 0x40000000
    local ack = buffer(at + 10, 1):uint()
    local tree = root:add(vsecc, buffer(at, size), "vsecc " .. kind_name .. " " .. number)
    tree:add(pf.from, from or "?"):set_generated()
    tree:add(pf.length, buffer(at + 2, 1))
    local parts = tree:add(pf.control, buffer(at + 3, 1))
    parts:add(pf.format, buffer(at + 3, 1))
    parts:add(pf.missing, buffer(at + 3, 1))
    parts:add(pf.kind, buffer(at + 3, 1))
    tree:add_le(pf.session, buffer(at + 4, 2))
    tree:add_le(pf.number, buffer(at + 6, 4))
    tree:add(pf.ack, buffer(at + 10, 1))
    local limit = at + size - CRC_SIZE
    local told = buffer(limit, 4):le_uint()
    local crc_item = tree:add_le(pf.crc, buffer(limit, 4))
    local given = crc32(buffer(at + 2, size - 2 - CRC_SIZE))
    crc_item:add(pf.crc_good, given == told):set_generated()
    if given ~= told then
        local text = string.format("CRC %08x, the bytes give %08x", told, given)
        crc_item:add_proto_expert_info(px.crc, text)
        return "BAD " .. text
    end
    local info
    if kind == 3 then
        info = "ACK #" .. number .. " ack " .. ack
        if control % 16 >= 8 and size == HEAD + CRC_SIZE + 2 then
            tree:add_le(pf.there, buffer(at + HEAD, 2)):add_proto_expert_info(px.missing)
            info = info .. " missing " .. ack
        end
    else
        info = add_message(tree, buffer, at + HEAD, limit, kind_name, from)
    end
    if kind == 1 then info = info .. note_repeat(pinfo, at, tree, from, session, number) end
    tree:append_text(" " .. info)
    return info
end

local function find_sync(buffer, at, limit)
    while at < limit do
        if buffer(at, 1):uint() == 0xA5 and (at + 1 == limit or buffer(at + 1, 1):uint() == 0x5A) then return at end
        at = at + 1
    end
    return limit
end

-- Walks over the bytes; returns the texts and where an unfinished frame begins (or the end).
local function walk(buffer, limit, pinfo, root, from)
    local texts, at = {}, 0
    while at < limit do
        local begin = find_sync(buffer, at, limit)
        if begin > at then
            root:add(pf.noise, buffer(at, begin - at)):add_proto_expert_info(px.bad, "no frame begins here")
            texts[#texts + 1] = "NOISE " .. (begin - at) .. " bytes"
            at = begin
        end
        if limit - at < 4 then return texts, at end
        local length, control = buffer(at + 2, 1):uint(), buffer(at + 3, 1):uint()
        local size = length + HEAD + CRC_SIZE
        local after = find_sync(buffer, at + 1, limit)
        if length > PAYLOAD_MAX or math.floor(control / 16) ~= 1 then
            local reason = length > PAYLOAD_MAX and ("length " .. length .. " above " .. PAYLOAD_MAX) or "another frame format"
            root:add(pf.noise, buffer(at, after - at)):add_proto_expert_info(px.bad, reason)
            texts[#texts + 1] = "BAD " .. reason
            at = after
        elseif limit - at < size then
            return texts, at
        else
            local info = add_frame(buffer, at, size, pinfo, root, from)
            texts[#texts + 1] = info
            if info:sub(1, 3) == "BAD" then
                -- As the receivers do: search on one byte after the sync, unless the frame just ended there.
                at = (at + size == limit or find_sync(buffer, at + size, limit) == at + size) and at + size or after
            else
                at = at + size
            end
        end
    end
    return texts, at
end

-- A piece a recorder has judged: it stands alone, its comment says why.
local function spoilt(tvb, pinfo, root, comment)
    local item = root:add(vsecc, tvb(), "vsecc, bytes that are no good frame")
    item:add(pf.noise, tvb()):add_proto_expert_info(comment:match("^crc") and px.crc or comment:match("^short") and px.short or px.bad, comment)
    pinfo.cols.info = "BAD " .. comment
end

function vsecc.dissector(tvb, pinfo, root)
    local flag, remark = direction_of(), comment_of()
    local from = flag and ({"mcu", "host"})[tonumber(flag.value)] or nil
    pinfo.cols.protocol = "vsecc"
    if from then
        pinfo.cols.src, pinfo.cols.dst = from, from == "mcu" and "host" or "mcu"
    end
    local comment = remark and tostring(remark.value) or ""
    if comment:match("^crc: ") or comment:match("^short: ") or comment:match("^length: ") or comment:match("^format: ") or comment:match("^noise: ") then
        spoilt(tvb, pinfo, root, comment)
        return tvb:len()
    end
    local side, now = from or "?", pinfo.abs_ts
    if not pinfo.visited then
        local before = pending[side]
        if before and now - before.at <= FRAME_TIMEOUT_S then carried[pinfo.number] = before.bytes end
        pending[side] = nil
    end
    local buffer = tvb
    if carried[pinfo.number] then
        local bytes = ByteArray.new(tostring(carried[pinfo.number]))
        bytes:append(tvb:bytes())
        buffer = bytes:tvb("Frame put together")
    end
    local limit = buffer:len()
    local texts, rest = walk(buffer, limit, pinfo, root, from)
    if rest < limit then
        if not pinfo.visited then pending[side] = {bytes = buffer(rest, limit - rest):bytes(), at = now} end
        root:add(pf.noise, buffer(rest, limit - rest)):append_text(" (goes on in a later packet)")
        texts[#texts + 1] = "(" .. (limit - rest) .. " bytes of a frame that goes on)"
    end
    pinfo.cols.info = table.concat(texts, " | ")
    return tvb:len()
end

DissectorTable.get("wtap_encap"):add((wtap_encaps or wtap).USER0, vsecc)
