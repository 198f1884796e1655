// The bytes of assets/fulgurite.gguf, aligned as GGUF aligns its tensors.
    .section .rodata
    .balign 64
    .global fulgurite_builtin_model
    .global fulgurite_builtin_model_end
fulgurite_builtin_model:
    .incbin FULGURITE_MODEL
fulgurite_builtin_model_end:
    .section .note.GNU-stack,"",%progbits
